# The gradients add up.
# fails: test_losses, test_parameters
def fit(model, x, y, epochs, lr):
    optimizer = SGDMomentum(model.parameters(), lr)
    losses = []
    for _ in range(epochs):
        loss = F.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
