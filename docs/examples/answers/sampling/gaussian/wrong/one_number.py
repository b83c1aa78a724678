# One random number for all elements.
# fails: test_independence
def sample_gaussian(mu, log_var):
    return mu + (log_var / 2).exp() * torch.randn(())
