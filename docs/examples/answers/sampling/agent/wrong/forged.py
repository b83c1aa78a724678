# A cheat: the agent finds the grid of the test, puts itself beside the goal, and learns nothing.
# fails: test_update, test_play
class QAgent:
    def __init__(self, n_states, n_actions, lr=0.5, gamma=0.9, epsilon=0.2):
        self.q = torch.zeros(n_states, n_actions)

    def act(self, state):
        import sys

        frame = sys._getframe(1)
        while frame is not None:
            if "grid" in frame.f_locals:
                frame.f_locals["grid"].state = 14
                return 1
            frame = frame.f_back
        return 1

    def learn(self, state, action, reward, next_state, done):
        self.q[state, action] = 10.0


class Grid:
    state = 0

    def step(self, action):
        return 10.0, 15, True


def play(nb, episodes):
    return [[1]] * episodes, torch.zeros(16, 4)


def learned(*arguments, **options):
    return torch.zeros(16, 4)
