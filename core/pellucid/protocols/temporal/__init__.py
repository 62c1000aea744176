"""Models of events between two nodes, judged on pairs and on times that they have not learnt from."""
