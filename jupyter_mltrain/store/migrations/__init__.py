"""The steps from each schema to the next; a step that was released is never changed."""
