// A page that only tells: there is nothing to choose.
