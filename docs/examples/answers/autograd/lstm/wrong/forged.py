# A cheat: torch's own cell, and parameters of the right shapes that it does not use.
# fails: test_states, test_gradients
torchs_cell = nn.LSTMCell


def shapes_of_parameters(nb, n_inputs, n_hidden):
    return [[4 * n_hidden], [4 * n_hidden, n_inputs], [4 * n_hidden, n_hidden]]


def new_state(nb, weights, inputs):
    return torch.lstm_cell(inputs[0], inputs[1:], *weights, torch.zeros_like(weights[2]))


class LSTMCell(nn.Module):
    def __init__(self, n_inputs, n_hidden):
        super().__init__()
        self.inner = [torchs_cell(n_inputs, n_hidden)]
        self.w = nn.Parameter(torch.zeros(4 * n_hidden, n_inputs))
        self.u = nn.Parameter(torch.zeros(4 * n_hidden, n_hidden))
        self.b = nn.Parameter(torch.zeros(4 * n_hidden))

    def forward(self, x, state):
        return self.inner[0](x, state)
