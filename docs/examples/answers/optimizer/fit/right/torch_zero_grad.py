# The model resets its gradients, and the error is written out.
def fit(model, x, y, epochs, lr):
    optimizer = SGDMomentum(parameters=list(model.parameters()), lr=lr)
    losses = [0.0] * epochs
    for epoch in range(epochs):
        model.zero_grad()
        loss = ((model(x) - y) ** 2).mean()
        losses[epoch] = float(loss)
        loss.backward()
        optimizer.step()
    return losses
