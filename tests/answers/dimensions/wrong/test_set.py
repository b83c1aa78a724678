# The images of the test set.
# fails: test_number_of_images
n_images, n_rows, n_columns = x_test.shape
