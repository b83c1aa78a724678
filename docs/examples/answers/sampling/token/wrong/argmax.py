# Nothing is drawn.
# fails: test_temperature
def sample_token(logits, temperature=1.0):
    return (logits / temperature).softmax(0).argmax().item()
