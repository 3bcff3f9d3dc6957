from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from . import cookie_banner
from .forms import ContactForm


def contact(request):
    form = ContactForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        form.save()
        return redirect("pages:contact_thanks")
    return render(request, "pages/contact.html", {"form": form})


def contact_thanks(request):
    return render(request, "pages/contact_thanks.html")


@require_POST
def cookies(request):
    target = request.POST.get("next", "/")
    if not url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()}):
        target = "/"
    response = redirect(target)
    cookie_banner.remember(response, accepted=request.POST.get("choice") == "accept")
    return response
