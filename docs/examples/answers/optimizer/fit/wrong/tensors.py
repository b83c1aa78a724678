# The losses keep their graphs.
# fails: test_losses
def fit(model, x, y, epochs, lr):
    optimizer = SGDMomentum(model.parameters(), lr)
    losses = []
    for _ in range(epochs):
        loss = F.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss)
    return losses
