# Floats.
# fails: test_number_of_images, test_number_of_rows, test_number_of_columns
n_images, n_rows, n_columns = map(float, x_train.shape)
