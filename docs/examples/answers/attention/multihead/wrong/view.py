# view mixes the positions: the dimensions are not swapped.
# fails: test_outputs, test_sizes
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model=12, n_heads=3):
        super().__init__()
        self.n_heads = n_heads
        self.query = nn.Linear(d_model, d_model, bias=False)
        self.key = nn.Linear(d_model, d_model, bias=False)
        self.value = nn.Linear(d_model, d_model, bias=False)
        self.output = nn.Linear(d_model, d_model, bias=False)

    def forward(self, x, mask=None):
        B, T, D = x.shape
        q, k, v = (layer(x).view(B, self.n_heads, T, -1) for layer in (self.query, self.key, self.value))
        return self.output(attention(q, k, v, mask).transpose(1, 2).reshape(B, T, D))
