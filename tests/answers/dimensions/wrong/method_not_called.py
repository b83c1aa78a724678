# A method that is not called.
# fails: test_number_of_images
n_images = x_train.size
n_rows, n_columns = 28, 28
