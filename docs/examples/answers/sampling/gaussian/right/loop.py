# Element by element, with random numbers of the standard library.
def sample_gaussian(mu, log_var):
    eps = torch.tensor([random.gauss(0, 1) for _ in range(mu.numel())]).reshape(mu.shape)
    std = torch.sqrt(torch.exp(log_var))
    return eps * std + mu
