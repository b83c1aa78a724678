# The old c is detached.
# fails: test_gradients
class LSTMCell(nn.Module):
    def __init__(self, n_inputs, n_hidden):
        super().__init__()
        self.w = nn.Parameter(torch.randn(4 * n_hidden, n_inputs) / n_inputs**0.5)
        self.u = nn.Parameter(torch.randn(4 * n_hidden, n_hidden) / n_hidden**0.5)
        self.b = nn.Parameter(torch.zeros(4 * n_hidden))

    def forward(self, x, state):
        h, c = state
        i, f, g, o = (x @ self.w.T + h @ self.u.T + self.b).chunk(4, dim=1)
        c = torch.sigmoid(f) * c.detach() + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c
