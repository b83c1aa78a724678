# The logits are multiplied by the temperature.
# fails: test_temperature
def sample_token(logits, temperature=1.0):
    return torch.multinomial((logits * temperature).softmax(dim=0), 1).item()
