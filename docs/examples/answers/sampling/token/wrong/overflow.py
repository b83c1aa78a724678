# The exponentials overflow.
# fails: test_large_logits
def sample_token(logits, temperature=1.0):
    weights = np.exp((logits / temperature).numpy())
    return int(np.random.choice(len(logits), p=weights.astype(float) / weights.astype(float).sum()))
