# epsilon is the probability of the best action.
# fails: test_chances, test_greedy
def epsilon_greedy(values, epsilon):
    if random.random() < epsilon:
        return values.argmax().item()
    return random.randrange(len(values))
