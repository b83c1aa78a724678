# A dictionary of rows, and a property that makes a tensor of them. act draws on its own.
class QAgent:
    def __init__(self, n_states, n_actions, lr=0.5, gamma=0.9, epsilon=0.2):
        self.rows = {state: [0.0] * n_actions for state in range(n_states)}
        self.lr, self.gamma, self.epsilon = lr, gamma, epsilon

    @property
    def q(self):
        return torch.tensor(list(self.rows.values()))

    def act(self, state):
        row = self.rows[state]
        return random.randrange(len(row)) if random.random() < self.epsilon else row.index(max(row))

    def learn(self, state, action, reward, next_state, done):
        target = reward
        if not done:
            target += self.gamma * max(self.rows[next_state])
        error = target - self.rows[state][action]
        self.rows[state][action] += self.lr * error
