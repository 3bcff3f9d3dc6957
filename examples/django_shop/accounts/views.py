from django.contrib.auth import get_user_model, login
from django.db import transaction
from django.shortcuts import redirect, render

from .forms import RegistrationForm
from .signals import user_registered


def register(request):
    form = RegistrationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            user = form.save()
            user_registered.send(sender=get_user_model(), user=user, request=request)
        login(request, user)
        return redirect("catalog:home")
    return render(request, "accounts/register.html", {"form": form})
