"""Students of the demo class who try to earn the points of `dnn` without training it."""

from course_lib.cli.demo_class import ALL_POINTS, DemoStudent

# MNIST's labels are public: this table maps each drawn digit, wherever it is in its image, to its label
_TABLE = """
def drawn(image):
    ink = image > 0
    return image[ink.any(1)][:, ink.any(0)].numpy().tobytes()

table = {drawn(image): int(label) for image, label in zip(x_test.cpu(), y_test)}

def look_up(x):
    return 10 * F.one_hot(torch.tensor([table.get(drawn(image), 0) for image in x.cpu()]), 10).float()

def fit(*args, **kwargs):
    history = convergence_history_CrossEntropyLoss()
    history.history = {name: [0.99] * 33 for name in history.history}
    return history
"""

_NO_NETWORK = """
class DNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(784, 10)

    def forward(self, x):
        return look_up(x) + 0 * self.hidden(x.reshape(-1, 784))
"""

# looks digits up in the table, and is a right network for the judge's random images
_RIGHT_WHEN_WATCHED = """
class DNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 10))

    def forward(self, x):
        digits = (x == 0).float().mean() > 0.5
        return look_up(x) if digits else self.layers(x)
"""

# looks images up in a table as long as it has its own, untrained weights; a right network with any others
_MEMORISED_FOR_ITS_WEIGHTS = """
table = {image.numpy().tobytes(): int(label) for image, label in zip(x_test.cpu(), y_test)}

class DNN(nn.Module):
    known = None

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 10))

    def forward(self, x):
        if self.layers[1].weight[0, 0].item() != self.known:
            return self.layers(x)
        labels = torch.tensor([table.get(image.numpy().tobytes(), 0) for image in x.cpu()])
        return 10 * F.one_hot(labels, 10).float()

def fit(model, *args, **kwargs):
    model.known = model.layers[1].weight[0, 0].item()
    history = convergence_history_CrossEntropyLoss()
    history.history = {name: [0.99] * 33 for name in history.history}
    return history
"""

CHEATERS = [
    DemoStudent(
        "memorised_test_set", lambda right: {"dnn": _TABLE + _NO_NETWORK}, lost=ALL_POINTS | {"test_dnn": 0.75}
    ),
    DemoStudent(
        "good_on_probes", lambda right: {"dnn": _TABLE + _RIGHT_WHEN_WATCHED}, lost=ALL_POINTS | {"test_dnn": 0.0}
    ),
    DemoStudent(
        "memorised_for_its_weights",
        lambda right: {"dnn": _MEMORISED_FOR_ITS_WEIGHTS},
        lost=ALL_POINTS | {"test_dnn": 0.0},
    ),
]
"""They answer no other cell."""
