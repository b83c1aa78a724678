# Head by head, with slices.
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model=12, n_heads=3):
        super().__init__()
        self.d_head = d_model // n_heads
        for name in ("output", "value", "key", "query"):
            setattr(self, name, nn.Linear(d_model, d_model, bias=False))

    def forward(self, x, mask=None):
        q, k, v = self.query(x), self.key(x), self.value(x)
        heads = []
        for start in range(0, q.shape[-1], self.d_head):
            part = slice(start, start + self.d_head)
            heads.append(attention(q[..., part], k[..., part], v[..., part], mask))
        return self.output(torch.cat(heads, dim=-1))
