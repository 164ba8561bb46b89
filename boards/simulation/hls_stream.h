// Streams for C simulation with g++ alone: a queue without end. Reading an empty one ends the simulation with its name, for
// hardware would wait for ever; what is left at the end is told too.
#ifndef SIGMAFLOW_SIMULATION_HLS_STREAM_H
#define SIGMAFLOW_SIMULATION_HLS_STREAM_H

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>

namespace hls {

template <class T> class stream {
public:
  explicit stream(const char *name = "stream") : name(name) {}
  ~stream() {
    if (!queue.empty()) std::fprintf(stderr, "the stream %s is left with %zu words\n", name.c_str(), queue.size());
  }
  T read() {
    if (queue.empty()) {
      std::fprintf(stderr, "the stream %s is read and has no word\n", name.c_str());
      std::exit(1);
    }
    const T word = queue.front();
    queue.pop_front();
    return word;
  }
  void read(T &word) { word = read(); }
  void write(const T &word) { queue.push_back(word); }
  bool empty() const { return queue.empty(); }
  bool full() const { return false; }
  std::size_t size() const { return queue.size(); }
  void operator>>(T &word) { word = read(); }
  void operator<<(const T &word) { write(word); }

private:
  stream(const stream &);
  stream &operator=(const stream &);
  std::string name;
  std::deque<T> queue;
};

} // namespace hls

#endif
