# In place on what is given.
# fails: test_a_single_image_keeps_its_probabilities
def class_probabilities(logits):
    logits -= logits.amax(1, keepdim=True)
    logits.exp_()
    return logits / logits.sum(1, keepdim=True)
