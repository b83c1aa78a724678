# With torch's own attention, and heads in front of the batch.
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model=12, n_heads=3):
        super().__init__()
        self.query, self.key, self.value, self.output = (nn.Linear(d_model, d_model, bias=False) for _ in range(4))
        self.n = n_heads

    def forward(self, x, mask=None):
        B, T, D = x.shape

        def heads(layer):
            return layer(x).reshape(B, T, self.n, D // self.n).permute(2, 0, 1, 3)

        y = nn.functional.scaled_dot_product_attention(
            heads(self.query), heads(self.key), heads(self.value), attn_mask=mask
        )
        return self.output(y.permute(1, 2, 0, 3).reshape(B, T, D))
