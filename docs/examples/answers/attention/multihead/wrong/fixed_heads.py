# The number of heads is written into the code.
# fails: test_sizes
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model=12, n_heads=3):
        super().__init__()
        self.query = nn.Linear(d_model, d_model, bias=False)
        self.key = nn.Linear(d_model, d_model, bias=False)
        self.value = nn.Linear(d_model, d_model, bias=False)
        self.output = nn.Linear(d_model, d_model, bias=False)

    def forward(self, x, mask=None):
        B, T, D = x.shape
        q, k, v = (layer(x).view(B, T, 3, 4).transpose(1, 2) for layer in (self.query, self.key, self.value))
        return self.output(attention(q, k, v, mask).transpose(1, 2).reshape(B, T, D))
