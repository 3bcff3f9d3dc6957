from django import forms

from .models import Order


class CheckoutForm(forms.ModelForm):
    CARD, INVOICE = "card", "invoice"

    payment = forms.ChoiceField(
        choices=[(CARD, "Card"), (INVOICE, "Invoice")], initial=CARD, label="Pay by"
    )
    card_number = forms.CharField(required=False, max_length=23)

    class Meta:
        model = Order
        fields = [
            "email",
            "phone",
            "first_name",
            "last_name",
            "address",
            "zip",
            "city",
            "state",
            "country",
        ]

    def clean_card_number(self):
        return self.cleaned_data["card_number"].replace(" ", "")

    def clean(self):
        cleaned = super().clean()
        if cleaned.get("payment") == self.CARD and not cleaned.get("card_number"):
            self.add_error("card_number", "Please enter the number of your card.")
        return cleaned

    @property
    def chosen_card(self):
        if self.cleaned_data["payment"] == self.CARD:
            return self.cleaned_data["card_number"]
        return None
