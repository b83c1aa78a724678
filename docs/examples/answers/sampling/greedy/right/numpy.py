# With numpy.
def epsilon_greedy(values, epsilon):
    values = np.asarray(values)
    if np.random.uniform() >= epsilon:
        return int(np.argmax(values))
    return int(np.random.randint(len(values)))
