# The return is missing.
# fails: test_losses
def fit(model, x, y, epochs, lr):
    optimizer = SGDMomentum(model.parameters(), lr)
    for _ in range(epochs):
        optimizer.zero_grad()
        F.mse_loss(model(x), y).backward()
        optimizer.step()
