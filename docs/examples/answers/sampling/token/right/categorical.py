# With a distribution of torch; a tensor without dimensions is as good as an integer.
def sample_token(logits, temperature=1.0):
    return torch.distributions.Categorical(logits=logits / temperature).sample()
