# The number of dimensions.
# fails: test_number_of_images
n_images = x_train.dim()
n_rows, n_columns = x_train.shape[1:]
