from django.contrib.auth import get_user_model
from rest_framework import generics, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.response import Response

from apishop.models import Cart, CartItem, Order, OrderItem, Product


class ProductSerializer(serializers.ModelSerializer):
    class Meta:
        model = Product
        fields = "__all__"


class CartSerializer(serializers.ModelSerializer):
    class Meta:
        model = Cart
        fields = ["id"]


class CartItemSerializer(serializers.ModelSerializer):
    class Meta:
        model = CartItem
        fields = ["id", "cart", "product", "quantity"]


class OrderSerializer(serializers.ModelSerializer):
    class Meta:
        model = Order
        fields = ["id", "email", "status", "total", "currency"]
        read_only_fields = ["status", "total", "currency"]


class UserSerializer(serializers.ModelSerializer):
    class Meta:
        model = get_user_model()
        fields = ["username", "email", "password"]

    def create(self, data):
        return get_user_model().objects.create_user(**data)


class Products(viewsets.ReadOnlyModelViewSet):
    serializer_class = ProductSerializer

    def get_queryset(self):
        words = self.request.query_params.get("search", "")
        return Product.objects.filter(title__icontains=words)


class NewCart(generics.CreateAPIView):
    serializer_class = CartSerializer


class CartItems(viewsets.ModelViewSet):
    queryset = CartItem.objects.all()
    serializer_class = CartItemSerializer


class Orders(viewsets.ModelViewSet):
    queryset = Order.objects.all()
    serializer_class = OrderSerializer

    def perform_create(self, serializer):
        order = serializer.save()
        for item in CartItem.objects.filter(cart=self.request.data["cart"]):
            price = item.product.price
            OrderItem.objects.create(
                order=order, product=item.product, quantity=item.quantity, price=price
            )
        order.total = sum(item.price * item.quantity for item in order.items.all())
        order.save()

    @action(detail=True, methods=["post"])
    def pay(self, request, pk):
        order = self.get_object()
        order.status = "paid"
        order.save(update_fields=["status"])
        return Response(OrderSerializer(order).data)


class SignUp(generics.CreateAPIView):
    serializer_class = UserSerializer
