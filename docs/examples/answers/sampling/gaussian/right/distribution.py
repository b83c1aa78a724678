# With rsample of torch.distributions.
def sample_gaussian(mu, log_var):
    return torch.distributions.Normal(mu, torch.exp(0.5 * log_var)).rsample()
