# The losses are computed after each step.
# fails: test_losses
def fit(model, x, y, epochs, lr):
    optimizer = SGDMomentum(model.parameters(), lr)
    losses = []
    for _ in range(epochs):
        optimizer.zero_grad()
        F.mse_loss(model(x), y).backward()
        optimizer.step()
        losses.append(F.mse_loss(model(x), y).item())
    return losses
