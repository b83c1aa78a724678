# A random action is never the best one.
# fails: test_chances
def epsilon_greedy(values, epsilon):
    best = values.argmax().item()
    if random.random() < epsilon:
        return random.choice([i for i in range(len(values)) if i != best])
    return best
