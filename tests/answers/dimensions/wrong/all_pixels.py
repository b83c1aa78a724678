# The number of all pixels.
# fails: test_number_of_images
n_images = x_train.numel()
n_rows, n_columns = x_train.shape[1:]
