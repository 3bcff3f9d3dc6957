from django.contrib import admin

from .models import Order, OrderLine


class OrderLineInline(admin.TabularInline):
    model = OrderLine
    extra = 0


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    list_display = ["number", "email", "total", "currency", "paid", "created"]
    list_filter = ["paid", "country"]
    search_fields = ["number", "email", "last_name"]
    readonly_fields = ["number", "created"]
    inlines = [OrderLineInline]
    actions = ["mark_as_paid"]

    @admin.action(description="Mark selected orders as paid")
    def mark_as_paid(self, request, queryset):
        for order in queryset.filter(paid=False):
            order.mark_paid()
