# act never looks at the table.
# fails: test_play
class QAgent:
    def __init__(self, n_states, n_actions, lr=0.5, gamma=0.9, epsilon=0.2):
        self.q = torch.zeros(n_states, n_actions)
        self.lr, self.gamma, self.epsilon = lr, gamma, epsilon

    def act(self, state):
        return random.randrange(4)

    def learn(self, state, action, reward, next_state, done):
        target = reward if done else reward + self.gamma * self.q[next_state].max()
        self.q[state, action] += self.lr * (target - self.q[state, action])
