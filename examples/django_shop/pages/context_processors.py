from . import cookie_banner as banner


def cookie_banner(request):
    return {"show_cookie_banner": not banner.is_answered(request)}
