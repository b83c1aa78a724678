# The Gumbel trick: the largest of the logits with noise.
def sample_token(logits, temperature=1.0):
    noise = -torch.log(-torch.log(torch.rand(len(logits), dtype=torch.float64)))
    return int(torch.argmax(logits / temperature + noise))
