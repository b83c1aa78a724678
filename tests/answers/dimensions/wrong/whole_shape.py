# The whole shape.
# fails: test_number_of_images
n_images = x_train.shape
n_rows = 28
n_columns = 28
