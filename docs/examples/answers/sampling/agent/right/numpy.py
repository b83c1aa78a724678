# The table is an array.
class QAgent:
    def __init__(self, n_states, n_actions, lr=0.5, gamma=0.9, epsilon=0.2):
        self.q = np.zeros((n_states, n_actions), dtype=np.float32)
        self.settings = lr, gamma, epsilon

    def act(self, state):
        return epsilon_greedy(torch.from_numpy(self.q[state]), self.settings[2])

    def learn(self, state, action, reward, next_state, done):
        lr, gamma, _ = self.settings
        target = reward + gamma * self.q[next_state].max() * (not done)
        self.q[state, action] = (1 - lr) * self.q[state, action] + lr * target
