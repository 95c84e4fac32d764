#define SBITS 16
