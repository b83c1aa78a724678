# Layers that find their sizes with the first batch, whenever it comes.
class DNN(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Flatten(), nn.LazyLinear(100), nn.ReLU(), nn.LazyLinear(100), nn.ReLU(), nn.LazyLinear(10)
        )