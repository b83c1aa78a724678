# Two linear layers, the second one without bias.
class LSTMCell(nn.Module):
    def __init__(self, n_inputs, n_hidden):
        super().__init__()
        self.of_x = nn.Linear(n_inputs, 4 * n_hidden)
        self.of_h = nn.Linear(n_hidden, 4 * n_hidden, bias=False)

    def forward(self, x, state):
        n = state[0].shape[1]
        z = self.of_x(x) + self.of_h(state[0])
        keep, new = z[:, n : 2 * n].sigmoid(), z[:, :n].sigmoid() * z[:, 2 * n : 3 * n].tanh()
        c = keep * state[1] + new
        return z[:, 3 * n :].sigmoid() * c.tanh(), c
