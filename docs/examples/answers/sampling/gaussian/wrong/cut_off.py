# torch.normal gives no gradients to its arguments.
# fails: test_gradients
def sample_gaussian(mu, log_var):
    with torch.no_grad():
        return torch.normal(mu, (log_var / 2).exp())
