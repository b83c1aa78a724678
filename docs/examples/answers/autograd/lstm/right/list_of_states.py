# Parameters in another order, a gate at a time; the result is a list.
class LSTMCell(nn.Module):
    def __init__(self, n_inputs, n_hidden):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(4 * n_hidden))
        self.recurrent = nn.Parameter(0.1 * torch.randn(4 * n_hidden, n_hidden))
        self.weight = nn.Parameter(0.1 * torch.randn(4 * n_hidden, n_inputs))

    def gate(self, k, x, h):
        n = h.shape[1]
        rows = slice(k * n, (k + 1) * n)
        return nn.functional.linear(x, self.weight[rows], self.bias[rows]) + h @ self.recurrent[rows].t()

    def forward(self, x, state):
        h, c = state
        new = torch.sigmoid(self.gate(0, x, h)) * torch.tanh(self.gate(2, x, h))
        c = torch.sigmoid(self.gate(1, x, h)) * c + new
        return [torch.sigmoid(self.gate(3, x, h)) * torch.tanh(c), c]
