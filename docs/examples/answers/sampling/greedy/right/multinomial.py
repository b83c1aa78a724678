# One draw with the probabilities of all actions.
def epsilon_greedy(values, epsilon):
    chances = torch.full((len(values),), epsilon / len(values))
    chances[values.argmax()] += 1 - epsilon
    return torch.multinomial(chances, 1).item()
