# act returns nothing, and q is a list of lists with the wrong update.
# fails: test_update, test_play
class QAgent:
    def __init__(self, n_states, n_actions, lr=0.5, gamma=0.9, epsilon=0.2):
        self.q = [[0.0] * n_actions for _ in range(n_states)]
        self.lr, self.gamma, self.epsilon = lr, gamma, epsilon

    def act(self, state):
        epsilon_greedy(torch.tensor(self.q[state]), self.epsilon)

    def learn(self, state, action, reward, next_state, done):
        target = reward if done else reward + self.gamma * max(self.q[next_state])
        self.q[state][action] += self.lr * target
