# The variance in place of the standard deviation.
# fails: test_distribution, test_gradients
def sample_gaussian(mu, log_var):
    return mu + log_var.exp() * torch.randn_like(mu)
