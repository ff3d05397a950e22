"""Start the longest test files first, so that the workers end together."""

LONG = ("test_pipeline", "test_other_crm", "test_malformed", "test_truth", "test_audit", "test_kaggle", "test_shape")


def pytest_collection_modifyitems(items):
    place = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONG)))
