"""Reading data sets as downloaded: pictures, captions, label maps, benchmarks, own folders."""
